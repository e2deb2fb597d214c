"""What the summary says otherwise where it is about people and groups."""

WORDS = {
    "en": {"written": "lines written", "messages": "records",
           "secrets": "accounts with a secret"},
    "zh": {"written": "写出行", "messages": "记录数", "secrets": "已生成密码或令牌的账号"},
}  # fmt: skip

NEXT = {
    "en": {
        "again": "Correct raw in {out}/rejects.ndjson; it is an input like any other: imconvert {content} "
                    "{out}/rejects.ndjson {out}-more --to {target}{key}",
        "conflicts": "Look at {out}/conflicts.ndjson and decide which record of each pair is right.",
        "errors": "Fetch the inputs named above again and convert them into a new folder.",
        "secrets": "Give {out}/secrets.csv to the server that logs your users in; nobody else should see it.",
        "load": "See that all who are mentioned are there (imconvert refs), then load: imconvert load {out} --target "
                 "target.toml",
    },
    "zh": {
        "again": "修正 {out}/rejects.ndjson 中的 raw，再把该文件作为输入：imconvert {content} "
                    "{out}/rejects.ndjson {out}-more --to {target}{key}",
        "conflicts": "查看 {out}/conflicts.ndjson，确认每一对记录以哪条为准。",
        "errors": "重新获取上面列出的输入，并转换到新的目录。",
        "secrets": "把 {out}/secrets.csv 交给负责用户登录的服务器；请勿让他人看到。",
        "load": "先用 imconvert refs 检查被引用的账号与群组是否齐全，再导入：imconvert load {out} --target "
                 "target.toml",
    },
}  # fmt: skip
