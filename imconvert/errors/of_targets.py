"""The codes of Tencent and RongCloud as targets, and of packages for devices."""

from imconvert.errors.entry import entry as _entry

OF_TARGETS = (
    _entry("IMC-1230", "no-packages", "--members is for targets that make packages for devices; {target} makes none.",
           "Leave --members out, or choose --to device or --to rongcloud.",
           "--members 只用于生成设备数据包的目标；{target} 不生成数据包。", "请去掉 --members，或选择 --to device、--to rongcloud。"),
    _entry("IMC-1231", "bad-members", "The file of members cannot be used: {why}.",
           "Correct the file. It is a CSV in UTF-8 with the columns group, user and, if known, joined_at.",
           "群成员文件无法使用：{why}。", "请修正文件：UTF-8 编码的 CSV，列为 group、user，以及可选的 joined_at。"),
    _entry(
        "IMC-2550",
        "over-size-limit",
        "The {kind} has {size} bytes; the target takes {limit}.",
        "Shorten it in the source and convert again, or raise the limit with --set if your plan allows more.",
        "{kind} 有 {size} 字节，目标上限为 {limit}。",
        "请在源数据中缩短后重新转换；若套餐允许更大，可用 --set 提高上限。",
    ),
    _entry(
        "IMC-2551",
        "group-not-allowed",
        "The group id {group} breaks the target's rule ({rule}).",
        "Give the group another id with --tids, and convert again.",
        "群 ID {group} 不符合目标规则（{rule}）。",
        "请用 --tids 为该群指定新 ID 后重新转换。",
    ),
    _entry(
        "IMC-3250",
        "no-cover",
        "The video has no cover picture, which the target demands.",
        "Give the URL of a picture with --set tencent.video_cover=URL; until then the video's own URL stands there.",
        "视频没有封面图，而目标要求必须有。",
        "可用 --set tencent.video_cover=URL 指定一张图片；未指定时填入视频自身的 URL。",
    ),
    _entry(
        "IMC-3251",
        "large-message",
        "The message is larger than older documents of the target allow.",
        "Try one of them before you load all.",
        "消息超过目标旧文档规定的大小。",
        "请先试导一条，再全部导入。",
    ),
    _entry(
        "IMC-3252",
        "second-moved",
        "The message was moved to a later second, so that seconds increase in its group.",
        "Nothing to do; the true time stands in CloudCustomData.",
        "消息已移到更晚的一秒，使群内秒数递增。",
        "无需处理；真实时间保存在 CloudCustomData 中。",
    ),
)
