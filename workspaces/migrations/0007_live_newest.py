"""The list of workspaces, newest first: a page of it reads a page."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0006_recent_failures")]

    operations = [
        migrations.AddIndex(
            model_name="workspace",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True)),
                fields=["-created_at", "id"],
                name="workspace_live_newest",
            ),
        ),
    ]
