"""The codes of runs on Apache Spark."""

from imconvert.errors.entry import entry as _entry

OF_SPARK = (
    _entry(
        "IMC-1350",
        "no-pyspark",
        "Spark is not installed: {why}.",
        "Install it with pip install 'imconvert[spark]', or leave --engine spark out.",
        "未安装 Spark：{why}。",
        "请执行 pip install 'imconvert[spark]'，或不使用 --engine spark。",
    ),
    _entry(
        "IMC-1351",
        "no-java",
        "Spark could not start Java: {why}.",
        "Install Java 17 and let JAVA_HOME or PATH lead to it; what Java itself said stands above.",
        "Spark 无法启动 Java：{why}。",
        "请安装 Java 17，并通过 JAVA_HOME 或 PATH 指向它；Java 自身的输出见上文。",
    ),
    _entry(
        "IMC-1352",
        "no-master",
        "Nobody says where Spark runs.",
        "Give --master (local[4,4], yarn, spark://..., k8s://...), or start the command through spark-submit.",
        "未指定 Spark 的运行位置。",
        "请使用 --master（local[4,4]、yarn、spark://...、k8s://...），或通过 spark-submit 启动。",
    ),
    _entry(
        "IMC-1353",
        "not-shared",
        "The machine {host} does not see this path.",
        "Inputs, output and maps must lie on storage that is mounted at the same path on every machine (docs/scale-out.md).",
        "主机 {host} 看不到该路径。",
        "输入、输出和映射文件必须位于所有机器以相同路径挂载的存储上（见 docs/scale-out.md）。",
    ),
    _entry(
        "IMC-1354",
        "unlike-machines",
        "A machine cannot do this run: {why}.",
        "Give all machines the same Python and the same imconvert, such as a packed environment (docs/scale-out.md).",
        "有机器无法执行本次运行：{why}。",
        "所有机器需使用相同的 Python 和 imconvert，例如打包的环境（见 docs/scale-out.md）。",
    ),
    _entry(
        "IMC-1355",
        "only-with-spark",
        "{option} {why}.",
        "See docs/scale-out.md.",
        "{option}：{why}。",
        "请参阅 docs/scale-out.md。",
    ),
    _entry(
        "IMC-1356",
        "spark-not-started",
        "Spark could not be started: {why}.",
        "Check --master and --conf; what Spark itself said stands above.",
        "无法启动 Spark：{why}。",
        "请检查 --master 和 --conf；Spark 自身的输出见上文。",
    ),
    _entry(
        "IMC-6140",
        "spark-gave-up",
        "Spark gave up: {why}.",
        "Mend what it names (memory, disk, lost machines); the same command resumes.",
        "Spark 放弃执行：{why}。",
        "请处理其指出的问题（内存、磁盘、机器丢失）；重复同一命令即可继续。",
    ),
    _entry(
        "IMC-6142",
        "out-of-turn",
        "A task outlived the step that it belonged to, and published nothing.",
        "Nothing is lost; if the run ended with this, the same command resumes.",
        "某个任务的存活时间超过了所属步骤，未发布任何内容。",
        "没有数据丢失；若运行因此结束，重复同一命令即可继续。",
    ),
)
