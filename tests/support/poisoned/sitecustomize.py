"""Makes every Python process that finds this folder on its path suffer from poison pages."""

from tests.support.poison import suffer

suffer()
