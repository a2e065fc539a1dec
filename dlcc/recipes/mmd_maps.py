"""Name under which runs recorded by 0.1 import `dlcc.recipes.maps.mmd_maps`."""

from dlcc.recipes.maps.mmd_maps import *  # noqa: F403
