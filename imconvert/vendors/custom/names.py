"""What self-built systems call their fields, and what their values mean: the tables behind `imconvert map guess`."""

from __future__ import annotations

import re

ROLES: dict[str, tuple[str, ...]] = {
    "id": (
        "msgid", "messageid", "msgkey", "msgno", "mid", "messageno", "serverid", "clientmsgid", "uuid",
        "xiaoxiid", "msgseq", "seq", "id",
    ),
    "time": (
        "sendtime", "msgtime", "msgtimestamp", "timestamp", "createtime", "createdat", "sentat", "sendat",
        "created", "gmtcreate", "ctime", "addtime", "createdate", "senddate", "fasongshijian",
        "chuangjianshijian", "shijian", "datetime", "date", "time", "ts",
    ),
    "sender": (
        "fromuser", "fromuserid", "fromid", "fromaccount", "fromuid", "fromaccid", "senderid", "sender",
        "senduser", "senduserid", "senduid", "sendid", "authorid", "author", "fasongren", "fasongzhe",
        "from", "uid", "userid", "accid", "user",
    ),
    "receiver": (
        "touser", "touserid", "toid", "toaccount", "touid", "toaccid", "receiverid", "receiver", "recvid",
        "recvuid", "receiveuser", "receiveid", "peerid", "peer", "jieshouren", "jieshouzhe", "targetid",
        "target", "to",
    ),
    "group": (
        "groupid", "togroup", "togroupid", "gid", "teamid", "tid", "roomid", "room", "qunid", "qunhao",
        "qunzu", "channelid", "group", "team",
    ),
    "chat": (
        "chattype", "conversationtype", "convtype", "sessiontype", "talktype", "scene", "isgroup",
        "liaotianleixing", "huihualeixing",
    ),
    "kind": (
        "msgtype", "messagetype", "contenttype", "bodytype", "mtype", "xiaoxileixing", "leixing", "subtype",
        "type", "kind",
    ),
    "content": (
        "content", "msgcontent", "msgbody", "body", "message", "msg", "payload", "xiaoxineirong", "neirong",
        "data", "text",
    ),
    "client": (
        "platform", "clienttype", "fromclienttype", "fromplatform", "devicetype", "device", "os",
        "terminal", "client", "pingtai",
    ),
    "ext": (
        "ext", "extra", "extension", "attrs", "attributes", "extend", "kuozhan",
    ),
    "status": (
        "status", "state", "isdeleted", "deleted", "isdel", "del", "isrecall", "isrevoke", "recalled",
        "revoked", "zhuangtai",
    ),
}  # fmt: skip
"""Names of columns and keys by what they hold, without signs between words, in lower case, the surest first; English,
pinyin, and those of schemas that are often met."""

INSIDE: dict[str, tuple[str, ...]] = {
    "url": (
        "url",
        "fileurl",
        "remoteurl",
        "src",
        "path",
        "link",
        "imgurl",
        "imageurl",
        "ossurl",
        "downloadurl",
        "key",
        "filekey",
        "objectkey",
    ),
    "name": ("name", "filename", "fname", "title", "wenjianming"),
    "suffix": ("ext", "suffix", "filetype", "format"),
    "size": ("size", "filesize", "filelength", "length", "bytes", "daxiao"),
    "width": ("w", "width", "imgwidth", "kuan"),
    "height": ("h", "height", "imgheight", "gao"),
    "duration": ("dur", "duration", "seconds", "voicelength", "time", "playtime", "second", "shichang"),
    "md5": ("md5", "hash", "filemd5"),
    "text": ("text", "msg", "content", "txt", "body", "message", "wenben", "neirong"),
    "longitude": ("lng", "lon", "longitude", "long", "jingdu"),
    "latitude": ("lat", "latitude", "weidu"),
    "title": ("title", "address", "addr", "name", "poi", "label", "dizhi"),
}
"""The same for what stands inside of a content."""

KINDS = {
    "text": ("text", "txt", "string", "plain", "wenben", "文本", "文字"),
    "image": ("image", "img", "pic", "picture", "photo", "tupian", "图片"),
    "audio": ("audio", "voice", "sound", "amr", "yuyin", "语音"),
    "video": ("video", "shortvideo", "shipin", "视频"),
    "file": ("file", "attachment", "doc", "wenjian", "文件"),
    "place": ("location", "loc", "place", "geo", "position", "map", "weizhi", "位置"),
    "custom": ("custom", "card", "json", "link", "redpacket", "sticker", "emoji", "zidingyi", "自定义"),
}
"""Words for kinds of content."""

CHATS = {
    "p2p": ("single", "p2p", "c2c", "private", "person", "user", "chat", "one", "siliao", "danliao", "单聊"),
    "team": ("group", "team", "groupchat", "room", "multi", "qunliao", "群聊"),
    "chatroom": ("chatroom", "liveroom"),
}
"""Words for kinds of chats."""

SUFFIXES = {
    "image": ("jpg", "jpeg", "png", "gif", "webp", "bmp", "heic"),
    "audio": ("amr", "aac", "mp3", "m4a", "wav", "ogg", "opus", "silk"),
    "video": ("mp4", "mov", "avi", "mkv", "webm", "3gp"),
}


def folded(name: str) -> str:
    """A name without what sets its words apart: msg_id, msgId and MSG-ID are one."""
    return re.sub(r"[\W_]+", "", name).lower()


def meant(word: str, table: dict[str, tuple[str, ...]]) -> str | None:
    """What a word of the data means by a table of words."""
    plain = folded(word)
    return next((meaning for meaning, words in table.items() if plain in words), None)
