# SPDX-License-Identifier: BSD-3-Clause
"""May tests go on in a forked child?

Not under thread sanitizer: it loses track of the threads, and refuses new ones.
"""

from __future__ import annotations

import os

NO_FORKS = "MINIASYNC_TEST_NO_FORKS"
MAY_FORK = NO_FORKS not in os.environ
