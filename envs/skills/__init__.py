"""Skills: what a robot does on command, as values in a registry by name."""

from grek.envs.motions.act import Act
from grek.envs.registry import Registry
from grek.envs.skills.dance import DANCE
from grek.envs.skills.jump import JUMP
from grek.envs.skills.sit import SIT
from grek.envs.skills.skill import Parameter, Skill
from grek.envs.skills.stand import STAND
from grek.envs.skills.walk import WALK

__all__ = ["SKILLS", "Act", "Parameter", "Skill", "register", "skill"]

SKILLS = Registry("skill", STAND, WALK, SIT, JUMP, DANCE)
register, skill = SKILLS.register, SKILLS.named
