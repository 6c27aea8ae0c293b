"""Every word that people read, in English: sentences with names in braces to be filled in.

The texts are HTML in Telegram's dialect; `bot.answers.reply.fill` escapes the values. The modules
share the namespace of the package. For another language, translate a copy of it, and name the copy
in `bot.language`.
"""

from bot.english.bot_state import *
from bot.english.charts import *
from bot.english.commands import *
from bot.english.dates import *
from bot.english.issues import *
from bot.english.scores import *
from bot.english.terminal import *
from bot.english.user_data import *
