"""Errors, repairs and skips of people and groups: users, friends, groups, id maps, references."""

from imconvert.errors.entry import entry

OF_PEOPLE = (
    entry("IMC-2600", "error-answer", "The answer, or an item in it, is an error: {found}.",
          "Ask for it again, and convert the new answer.",
          "该应答（或其中一项）是错误：{found}。", "请重新请求，并转换新的应答。"),
    entry("IMC-2601", "whose-list", "The answer ({page}) does not say whose list it is: {names} is missing.",
          "Keep the request beside it, as request and response of one object (docs/people.md); or name files after their "
          "owners, with --set people.file_names=owner.",
          "该应答（{page}）没有说明属于谁：缺少 {names}。",
          "请把请求与应答一起保存为一个对象的 request 与 response（见 docs/people.md）；或以所属者命名文件，并加 --set people.file_names=owner。"),
    entry("IMC-2602", "unknown-page", "This is no answer of a list call that is known; its keys are {keys}.",
          "docs/people.md names the calls; other data needs a mapping file (--map).",
          "不是已知列表接口的应答；其字段为 {keys}。", "支持的接口见 docs/people.md；其他数据请使用映射文件（--map）。"),
    entry("IMC-2603", "bad-group-name", "The group id {group} is no name for a group: allowed are {rule}.",
          "Map it with --tids.", "群组 ID {group} 不可用：仅允许 {rule}。", "请用 --tids 映射。"),
    entry("IMC-2605", "with-oneself", "{account} stands on a list of their own.", "Nothing to do, if it is no slip.",
          "{account} 出现在自己的列表中。", "若非笔误，无需处理。"),
    entry("IMC-2606", "community-id", "The id of group {group} does not go with its type {kind}: communities begin with "
          "@TGS#_, and only they do.", "Map the id with --tids, or choose another type.",
          "群组 {group} 的 ID 与类型 {kind} 不符：社群 ID 以 @TGS#_ 开头，其他类型不可。", "请用 --tids 映射 ID，或改用其他类型。"),
    entry("IMC-3301", "list-too-long", "Somebody has more on a list than the target usually keeps.",
          "Ask the vendor for a higher limit; what is beyond it will be refused while loading.",
          "有人的列表超过目标通常允许的数量。", "请向厂商申请提高上限；超出部分在导入时会被拒绝。"),
    entry("IMC-3302", "group-without-time", "The source does not tell when the group was made; 2000-01-01 was taken, as no "
          "history is older.", "Nothing to do.", "来源没有群组创建时间；已取 2000-01-01，任何历史都不会更早。", "无需处理。"),
    entry("IMC-3303", "group-unknown", "Of a group nothing is known but its members or a single fact; it can't be made.",
          "Export its facts as well, and convert all of it together.",
          "仅知某群组的成员或个别信息，无法创建该群组。", "请同时导出群资料，并一起转换。"),
    entry("IMC-3304", "group-without-owner", "Nobody is known to own the group; what its owner has to do was left out.",
          "Export its facts or members as well, and convert all of it together.",
          "不知道群主是谁；需要群主执行的操作已略去。", "请同时导出群资料或成员，并一起转换。"),
    entry("IMC-3305", "said-twice", "Two answers say different things of the same; the first was taken.",
          "Look which is newer, and convert it alone if it is the other.",
          "两个应答对同一事项的说法不同；已采用先出现者。", "请确认哪个较新；若是另一个，请只转换它。"),
    entry("IMC-3306", "value-left-out", "A value makes no sense (a time or a number) and was left out.",
          "Nothing to do, if the rest is what matters.", "某个值（时间或数字）无意义，已略去。", "若其余内容无误，无需处理。"),
    entry("IMC-6130", "bad-secrets-key", "This is no key of secrets.", "Give the file secrets.key of an output of users.",
          "不是有效的密钥文件。", "请提供某个用户输出目录中的 secrets.key。"),
    entry("IMC-8180", "other-content", "The record is about something else ({found}); imconvert {commands} takes it.",
          "Nothing to do.", "该记录是其他内容（{found}），由 imconvert {commands} 处理。", "无需处理。"),
    entry("IMC-8181", "nothing-said", "The answer ({page}) holds nothing that could be taken.", "Nothing to do.",
          "该应答（{page}）不含可迁移的内容。", "无需处理。"),
    entry("IMC-8182", "not-at-the-target", "The target has no call for this ({found}): {why}.",
          "Keep it on your own server, if you need it.",
          "目标没有对应的接口（{found}）：{why}。", "如有需要，请在自己的服务器上保存。"),
)  # fmt: skip
