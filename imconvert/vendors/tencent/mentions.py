"""Where ids stand in Tencent's calls (tencent.md §3 to §5)."""

from imconvert.vendors.people.mentions import GROUP, Place, mentions_by
from imconvert.vendors.tencent import provisioning as calls
from imconvert.vendors.tencent.requests import GROUP as GROUP_MESSAGES
from imconvert.vendors.tencent.requests import PAIR

_TEAM = Place("GroupId", GROUP)

MENTIONS = mentions_by({
    calls.ACCOUNTS: (Place("AccountList[].UserID", makes=True),),
    calls.PROFILE: (Place("From_Account"),),
    calls.FRIENDS: (Place("From_Account"), Place("AddFriendItem[].To_Account")),
    calls.BLOCKS: (Place("From_Account"), Place("To_Account[]")),
    calls.READ: (Place("Report_Account"), Place("Peer_Account")),
    calls.GROUP: (Place("GroupId", GROUP, makes=True), Place("Owner_Account")),
    calls.MEMBERS: (_TEAM, Place("MemberList[].Member_Account")),
    calls.UNREAD: (_TEAM, Place("Member_Account")),
    calls.FACTS: (_TEAM,),
    calls.SILENCE: (_TEAM, Place("Members_Account[]")),
    PAIR: (Place("From_Account"), Place("To_Account")),
    GROUP_MESSAGES: (_TEAM, Place("MsgList[].From_Account")),
})  # fmt: skip
