"""The settings where pytracking users look for them: `from ...evaluation.environment import`."""

from ..settings import EnvironmentSettings, env_settings

__all__ = ["EnvironmentSettings", "env_settings"]
