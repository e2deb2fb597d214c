"""What Tencent's documents leave open about people and groups, or what is a matter of taste (tencent.md §2, §3, §5)."""

from imconvert.vendors.contract import Setting

SETTINGS = (
    Setting("tencent.account_batch", "100", "number", "accounts in one call of multiaccount_import"),
    Setting("tencent.profile_tags", "none", "text",
            "custom tags of the console for fields of a profile without one: such as ext=Ext,mail=Mail,phone=Phone"),
    Setting("tencent.relation_batch", "1000", "number", "friends, or blocked accounts, of a user in one call"),
    Setting("tencent.add_source", "AddSource_Type_Import", "text", "AddSource of friends"),
    Setting("tencent.friend_tag", "none", "text",
            "the custom tag of the console for the app's extension of a friendship"),
    Setting("tencent.most_friends", "3000", "number", "friends of a user from which on a notice is given"),
    Setting("tencent.most_blocks", "1000", "number", "blocked accounts of a user from which on a notice is given"),
    Setting("tencent.group_type", "Public", ("Public", "Private", "ChatRoom", "Community"),
            "Type of groups whose source does not tell how open they are"),
    Setting("tencent.group_lengths", "sdk", ("sdk", "limits"),
            "most bytes of name, introduction, notice and avatar of a group: 100, 400, 400, 500, as the newer guides "
            "say; or 30, 240, 300, 100, as the page of limits does"),
    Setting("tencent.group_source_key", "none", "text",
            "the custom field of the console that keeps the id that a group had in the source"),
    Setting("tencent.member_batch", "20", "number", "members in one call of import_group_member"),
    Setting("tencent.silence_batch", "500", "number", "members in one call of forbid_send_msg"),
)  # fmt: skip
