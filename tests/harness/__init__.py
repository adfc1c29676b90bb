# SPDX-License-Identifier: Apache-2.0
"""What the suites drive the real programs with: an agent, gRPC clients, the command line, waiting for events."""

import os

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("HOIST_BUILD") or f"{TOP}/build")

# Nothing that a test waits for takes longer, even with sanitizers in a virtual machine.
PATIENCE = float(os.environ.get("HOIST_TEST_PATIENCE") or 30)
