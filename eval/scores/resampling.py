"""`Interval` under its former module name, for `eval/report` until it imports `statistics`."""

from grek.eval.scores.statistics import Interval as Interval
