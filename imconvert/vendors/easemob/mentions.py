"""Where ids stand in Easemob's calls (easemob.md §4)."""

from imconvert.vendors.easemob.target import APIS
from imconvert.vendors.people.mentions import GROUP, Place, mentions_by

_OWNER, _TEAM, _NAMES = Place("@conv"), Place("@conv", GROUP), Place("usernames[]")

MENTIONS = mentions_by({
    "users": (Place("[].username", makes=True),),
    "users/profile": (Place("@id"),),
    "users/notification": (Place("@id"),),
    "contacts/import": (_OWNER, _NAMES),
    "contacts/remark": (_OWNER, Place("@other")),
    "blocks": (_OWNER, _NAMES),
    "chatgroups": (Place("@conv", GROUP, makes=True), Place("owner")),
    "chatgroups/members": (_TEAM, _NAMES),
    "chatgroups/admin": (_TEAM, Place("newadmin")),
    "chatgroups/mute": (_TEAM, _NAMES),
    "chatgroups/ban": (_TEAM,),
    "chatgroups/announcement": (_TEAM,),
    "chatgroups/member-profile": (_TEAM, Place("@other")),
    APIS["p2p"]: (Place("from"), Place("target")),
    APIS["team"]: (Place("from"), Place("target", GROUP)),
})  # fmt: skip
