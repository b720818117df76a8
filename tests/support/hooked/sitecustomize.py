"""Makes every Python process that finds this folder on its path watch its own steps."""

from tests.support.crash_points import watch_from_environment

watch_from_environment()
