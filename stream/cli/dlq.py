"""`skustream dlq`: letters, found, shown, counted, exported, and put back. Each command lives in a file of its own."""

from stream.cli import dlq_discard, dlq_export, dlq_list, dlq_replay, dlq_resume, dlq_show, dlq_stats
from stream.cli.front import group

app = group("Find, read and put back dead letters, ours and those of Kafka Connect, Spring, Streams and SmallRye.")
app.command("list", epilog=dlq_list.LIST_EXAMPLES)(dlq_list.list_letters)
app.command("stats", epilog=dlq_stats.EXAMPLES)(dlq_stats.stats)
app.command("show", epilog=dlq_show.EXAMPLES)(dlq_show.show)
app.command("export", epilog=dlq_export.EXAMPLES)(dlq_export.export)
app.command("watch", epilog=dlq_list.WATCH_EXAMPLES)(dlq_list.watch)
app.command("replay", epilog=dlq_replay.EXAMPLES)(dlq_replay.replay)
app.command("discard", epilog=dlq_discard.EXAMPLES)(dlq_discard.discard)
app.command("resume", epilog=dlq_resume.EXAMPLES)(dlq_resume.resume)
