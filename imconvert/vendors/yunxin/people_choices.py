"""What Yunxin's documents leave open about people and teams, or what is a matter of taste (yunxin.md §4.4, §4.5)."""

from imconvert.vendors.contract import Setting

SETTINGS = (
    Setting("yunxin.api", "v1", ("v1", "v2"), "which of Yunxin's server APIs the calls are for"),
    Setting("yunxin.genders", "1=male,2=female", "text", "what the numbers of gender mean"),
    Setting("yunxin.member_roles", "0=member,1=owner,2=admin", "text",
            "what the numbers of member_role mean in answers of v2"),
    Setting("yunxin.team_members", "owner", ("owner", "none"),
            "members of a team that is made, the others being added behind it: its owner, as the list may not be "
            "missing; or an empty list"),
    Setting("yunxin.team_message", "imconvert", "text", "msg of calls that make teams or add members"),
    Setting("yunxin.team_notices", "no", ("no", "yes"),
            "whether what happens in teams while they are filled is told to those online, and kept"),
    Setting("yunxin.member_batch", "200", "number", "members of a team in one call"),
    Setting("yunxin.manager_batch", "10", "number", "managers of a team in one call"),
)  # fmt: skip
