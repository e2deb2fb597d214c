"""What Tencent's documents leave open, or what is a matter of taste: as source, and as target (tencent.md §13)."""

from imconvert.vendors.contract import Setting

SETTINGS = (
    Setting("tencent.order", "counter", ("counter", "imported", "none"),
            "milliseconds that keep the order inside of a second: MsgSeq modulo 1000; or its millionth part, as "
            "imported messages have it; or none"),
    Setting("tencent.recalled", "drop", ("drop", "mark", "keep"),
            "what a recalled message becomes: nothing, a message with a mark in its extension, or a message"),
    Setting("tencent.topics", "group", ("group", "topic"),
            "where a topic's message goes: into the topic's group, or into a group of its own (which needs a map)"),
    Setting("tencent.sync", "2", ("2", "5", "1"),
            "SyncFromOldSystem: 2 history, counts as read; 5 live, counts as unread and is pushed; 1 older, for 5"),
    Setting("tencent.numbers", "source", ("source", "derived"),
            "MsgSeq and MsgRandom of messages that come from Tencent: their own, or derived as for all others"),
    Setting("tencent.cloud_data", "note", ("note", "own"),
            "CloudCustomData: the app's extension with a note of the source's id and time and of what has no field; or "
            "the app's extension alone"),
    Setting("tencent.group_cloud_data", "yes", ("yes", "no"),
            "whether import_group_msg takes CloudCustomData"),
    Setting("tencent.group_batch", "7", "number", "messages in one call of import_group_msg"),
    Setting("tencent.group_seconds", "equal", ("equal", "increase"),
            "messages of one second in a group: sent as they are; or moved so that seconds increase"),
    Setting("tencent.random_window", "420000", "number",
            "messages of a group among which Random is distinct: at most what 5 minutes of loading take"),
    Setting("tencent.recent_contacts", "yes", ("yes", "no"),
            "whether import_group_msg puts the group into the members' conversation lists (RecentContactFlag)"),
    Setting("tencent.read_marks", "none", ("none", "sent", "all"),
            "calls of admin_set_msg_read behind a pair's messages: none; up to what each wrote; or up to the last"),
    Setting("tencent.notices", "custom", ("custom", "skip"),
            "what happened in a group: a custom element, or nothing"),
    Setting("tencent.image_sizes", "three", ("three", "one"),
            "sizes of a picture of which only one is known: listed as original, large and small, or as original"),
    Setting("tencent.video_cover", "video", "text",
            "the URL that stands for the cover of a video without one; video: the video's own"),
    Setting("tencent.size_warn", "8000", "number", "bytes of a message that are counted as large"),
    Setting("tencent.size_limit", "12288", "number", "bytes of a message that are refused"),
    Setting("tencent.size_counts", "body", ("body", "body+data"),
            "what counts: MsgBody, or CloudCustomData too"),
    Setting("tencent.long_text", "split", ("split", "reject"),
            "a text that is too long: several messages, or a reject"),
)  # fmt: skip
