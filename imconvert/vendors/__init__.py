"""The vendors: what each can read and write, as records of pure functions.

Promise: adding a vendor adds one folder, one fixtures folder and one name in `ALL`. Nothing in a vendor's folder
opens, sends, sleeps, logs or asks a clock.
"""

from __future__ import annotations

from imconvert.vendors.contract import Setting, Target, Vendor
from imconvert.vendors.easemob import VENDOR as EASEMOB
from imconvert.vendors.rongcloud import VENDOR as RONGCLOUD
from imconvert.vendors.tencent import VENDOR as TENCENT
from imconvert.vendors.yunxin import VENDOR as YUNXIN

__all__ = ["ALL", "BY_NAME", "SETTINGS", "TARGETS", "Setting", "Target", "Vendor"]

ALL: tuple[Vendor, ...] = (YUNXIN, EASEMOB, TENCENT, RONGCLOUD)
BY_NAME: dict[str, Vendor] = {vendor.name: vendor for vendor in ALL}
TARGETS: dict[str, Target] = {vendor.target.name: vendor.target for vendor in ALL if vendor.target}
SETTINGS: dict[str, Setting] = {setting.name: setting for vendor in ALL for setting in vendor.settings}
