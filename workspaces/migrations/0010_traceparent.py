"""What asked for a job, as a step of a trace. The release before leaves the column alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0009_machines")]

    operations = [
        migrations.AddField(
            model_name="provisionerjob",
            name="traceparent",
            field=models.CharField(
                blank=True, db_default="", default="", editable=False, max_length=55
            ),
        ),
    ]
