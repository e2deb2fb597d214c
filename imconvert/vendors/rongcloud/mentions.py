"""Where ids stand in RongCloud's calls (rongcloud.md §4.2)."""

from imconvert.vendors.people.mentions import GROUP, Place, mentions_by

_USER, _USERS, _OTHER, _TEAM = Place("userId"), Place("userId[]"), Place("targetId"), Place("groupId", GROUP)

MENTIONS = mentions_by({
    "user/getToken.json": (Place("userId", makes=True),),
    "user/blockPushPeriod/set.json": (_USER,),
    "friend/add.json": (_USER, _OTHER),
    "friend/profile/set.json": (_USER, _OTHER),
    "user/blacklist/add.json": (_USER, Place("blackUserId[]")),
    "conversation/notification/set.json": (Place("requestId"),),
    "group/create.json": (Place("groupId", GROUP, makes=True), _USERS),
    "group/join.json": (_TEAM, _USERS),
    "entrust/group/import.json": (_TEAM, Place("owner")),
    "entrust/group/manager/add.json": (_TEAM, Place("userIds[]")),
    "group/user/gag/add.json": (_TEAM, _USERS),
})  # fmt: skip
