"""Counts of requests, shared by all web processes; UNLOGGED, as nobody misses them after a crash."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_audit_is_not_emptied"),
    ]

    operations = [
        migrations.CreateModel(
            name="RequestCount",
            fields=[
                (
                    "key",
                    models.CharField(
                        editable=False, max_length=64, primary_key=True, serialize=False
                    ),
                ),
                ("minute", models.PositiveIntegerField()),
                ("count", models.PositiveIntegerField()),
            ],
        ),
        # Room on each page, so that a count that grows stays on it (a HOT update).
        migrations.RunSQL(
            "ALTER TABLE accounts_requestcount SET UNLOGGED, SET (fillfactor = 50)",
            migrations.RunSQL.noop,
        ),
    ]
