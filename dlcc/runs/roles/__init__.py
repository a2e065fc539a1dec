"""Roles of foreign columns: which player's which quantity each of them is.

Names are read word by word, and a name with a word that stays unexplained has no role. Then the
series themselves are asked, as a second witness. What cannot be told is left unsaid.
"""

from dlcc.runs.roles.mapping import RoleMap, map_roles
from dlcc.runs.roles.names import role_of_name
from dlcc.runs.roles.role import Role, RoleOfColumn

__all__ = ["Role", "RoleMap", "RoleOfColumn", "map_roles", "role_of_name"]
