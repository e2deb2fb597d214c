"""What is a matter of choice in packages for devices, whosever SDK imports them."""

from imconvert.vendors.contract import Setting

SETTINGS = (
    Setting("device.batch", "1000", "number", "messages in one call of importMessages"),
    Setting("device.gzip", "no", ("no", "yes"), "whether each call's messages are packed, as a gzip file of their own"),
    Setting("device.since", "none", "moment", "leave messages before this time out of packages, in ms since 1970"),
    Setting("device.newest", "none", "optional", "leave all but so many messages of each conversation out of packages"),
    Setting("device.notices", "custom", ("custom", "skip"),
            "what happened in a group: a custom message, or nothing"),
    Setting("device.custom_event", "custom", "text", "event of custom messages that have no name of their own"),
)  # fmt: skip
