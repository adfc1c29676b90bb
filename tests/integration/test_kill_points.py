# SPDX-License-Identifier: Apache-2.0
"""Two hundred points at which hoistd, or the launcher, dies under load: no job, byte or status is lost, none is left."""

import concurrent.futures
import os

import pytest

from harness import kill_points, torture
from harness.agent import Agent
from test_torture import judge

pytestmark = [pytest.mark.plain, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: hoistd is another user"),
              pytest.mark.timeout(3600)]


def kill(victim, points, seed):
    """Returns the run, when it was judged."""
    with (torture.counters() as (counters, settings, launcher),
          Agent(settings={"jobs_max": "500", **settings}, launcher=launcher) as agent):
        run = kill_points.KillPoints(agent, seed, counters, victim, points)
        judge(agent, run)
        return run


@pytest.mark.soak
@pytest.mark.parametrize("victim", kill_points.KINDS)
def test_killed_at_200_points(victim, record_property):
    """An agent for each kind of calls, since each restart is waited for longer than the one before."""
    points = kill_points.points(victim)
    kinds = [[point for point in points if point[0] == kind] for kind in kill_points.KINDS[victim]]
    with concurrent.futures.ThreadPoolExecutor(len(kinds)) as pool:
        runs = list(pool.map(lambda chosen: kill(victim, chosen, "200"), kinds))
    record_property("points", sum(sum(run.blows.values()) for run in runs))
    record_property("acknowledged", sum(len(run.acknowledged()) for run in runs))
