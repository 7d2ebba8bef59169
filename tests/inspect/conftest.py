"""What the tests of Inspect share."""

from browsing import browser as browser
