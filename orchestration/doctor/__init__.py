"""`chemlink doctor`: is the machine well, do the processes live, is the chain of a tag or outlet whole?

Runs without Dagster, so that it can be the alarm when Dagster is what is broken.
"""

from orchestration.doctor.diagnosis import Diagnosis
from orchestration.doctor.examination import examine

__all__ = ["Diagnosis", "examine"]
