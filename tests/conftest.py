"""What holds for all tests: how many examples a property is tried on, and that bots trust nobody.

Thirty examples, or with TRIALS=full five thousand.
"""

import os

from hypothesis import settings

settings.register_profile(
    "ci",
    derandomize=False,  # new examples every run; a failing one is printed with its blob
    deadline=None,  # how long an example takes depends on what else the machine is doing
    max_examples=30,
    print_blob=True,
)
settings.register_profile("full", settings.get_profile("ci"), max_examples=5000)
settings.load_profile("full" if os.environ.get("TRIALS") == "full" else "ci")

# All servers of the tests speak plain HTTP. Without this each bot would load all the authorities
# that there are in the world, twice, which takes longer than most conversations.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = os.devnull
