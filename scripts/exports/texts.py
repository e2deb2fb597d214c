"""Texts as people write them: lengths, words, endings and what is hard to escape."""

from __future__ import annotations

import json
from random import Random

from exports.tools import dumps, split, spread

SURNAMES = split("wang li zhang liu chen yang zhao huang zhou wu xu sun hu zhu gao lin he guo ma luo")
WORDS = split(
    "我 你 他 我们 大家 今天 明天 昨天 晚上 上午 下午 周末 现在 刚才 马上 已经 还是 可以 不能 需要 应该 "
    "觉得 知道 看到 收到 发给 联系 确认 安排 开会 吃饭 回家 上班 下班 出差 项目 客户 合同 报价 订单 快递 "
    "发货 退款 付款 发票 地址 电话 微信 群里 文件 图片 视频 语音 方案 需求 测试 上线 版本 问题 原因 解决 "
    "办法 时间 地点 价格 数量 质量 服务 老板 同事 朋友 孩子 妈妈 老师 学校 医院 公司 北京 上海 杭州 深圳 "
    "地铁 高铁 机票 酒店 天气 下雨 很冷 太热 真的 好像 其实 如果 但是 因为 所以 然后 最后 一下 一起 一个 "
    "两次 三天 几点 多少 怎么 什么 哪里 为什么 谢谢 麻烦 辛苦 不好意思 没问题 的 的 的 了 了 是 在 有 就 "
    "都 不 也 要 去 来 说 吗 吧 呢 啊 哈哈 嗯 20 15 A3 VIP APP"
)
LATIN = split(
    "the meeting is moved to please check send me latest build ok thanks order number today tomorrow server "
    "deploy done review link password reset invoice next week let us know customer feedback great"
)
REPLIES = split("好的 嗯 嗯嗯 收到 哈哈哈 在吗 ok 谢谢 [呲牙] 早 晚安 好 1 👌 不用了 马上到 OK! 知道了")
LENGTHS = (
    {2: 50, 4: 80, 6: 120, 8: 140, 10: 130, 12: 120, 15: 100, 18: 80, 22: 60, 28: 45, 36: 32, 50: 22}
    | {80: 11, 130: 5, 220: 2, 480: 1}
)  # fmt: skip
TAILS = (
    ("", 1100), ("。", 120), ("?", 90), ("!", 60), ("~", 40), ("😂", 50), ("😂😂👍", 20), ("[微笑]", 30),
    ("\n第二行:见附件", 12), (',他说"不行"', 10), (" C:\\共享\\报表.xlsx", 6), ("\t√", 5), ("“引号”", 8),
    (" https://example.com/p/10086?a=1&b=%E4%BD%A0", 25), (" http://t.example.cn/Ab3dE", 25), ("</b>", 3),
    (" @所有人 ", 12), (' {"k":"v"}', 4), ("\u2028另起", 1), ("𠮷野家", 2), ("e\u0301", 2), ("\\n", 3),
    ("👨\u200d👩\u200d👧", 3), (",等你", 60), (",明天再说吧", 60),
)  # fmt: skip


def phrase(length: int, rng: Random) -> str:
    if rng.random() < 0.06:
        return " ".join(rng.choices(LATIN, k=max(1, length // 4)))
    words = "".join(rng.choices(WORDS, k=length))[:length]
    return words if length < 15 else words[: length // 2] + "," + words[length // 2 + 1 :]


def escaped(text: str, rng: Random) -> str:
    if rng.random() < 0.02:
        return json.dumps(text)[1:-1]
    return dumps(text)[1:-1]


def text_heads(rng: Random) -> list[str]:
    sizes = rng.choices(list(LENGTHS), list(LENGTHS.values()), k=16_384)
    return [escaped(phrase(size, rng), rng) for size in sizes] + [escaped(r, rng) for r in REPLIES] * 100


def text_tails(rng: Random) -> list[str]:
    clauses = [escaped("," + phrase(rng.randrange(4, 20), rng), rng) for _ in range(500)]
    return spread([(escaped(text, rng), weight) for text, weight in TAILS]) + clauses
