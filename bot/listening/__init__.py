"""Messages and presses of people, as the interactions they amount to."""
