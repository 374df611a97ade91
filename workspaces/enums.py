"""The words workspaces, builds, jobs and agents are stored as."""

from django.db import models


class Transition(models.TextChoices):
    """What a build does to its workspace."""

    START = "start", "Start"
    STOP = "stop", "Stop"
    DELETE = "delete", "Delete"


class Stage(models.TextChoices):
    """Which part of a prebuild's life a build is."""

    NONE = "none", "None"
    PREBUILD_CREATE = "prebuild_create", "Prebuild create"
    PREBUILD_CLAIM = "prebuild_claim", "Prebuild claim"


class BuildReason(models.TextChoices):
    """Why a build was asked for."""

    INITIATOR = "initiator", "Asked for"
    RECONCILE = "reconcile", "Reconciler"
    AUTOSTART = "autostart", "Autostart"
    AUTOSTOP = "autostop", "Autostop"
    DORMANCY = "dormancy", "Dormancy"
    AUTODELETE = "autodelete", "Auto-deletion"


class AutomaticUpdates(models.TextChoices):
    """Whether a workspace moves to a new version by itself when it starts."""

    ALWAYS = "always", "Always"
    NEVER = "never", "Never"


class JobType(models.TextChoices):
    """What a provisioner job works on."""

    WORKSPACE_BUILD = "workspace_build", "Workspace build"


class JobStatus(models.TextChoices):
    """Derived from a job's timestamps; stored by the database itself (semantics.md 17)."""

    PENDING = "pending", "Pending"
    RUNNING = "running", "Running"
    CANCELING = "canceling", "Canceling"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Canceled"


class JobErrorCode(models.TextChoices):
    """What kind of failure ended a job."""

    SCRIPT_FAILED = "script_failed", "The start-up script failed"
    SCRIPT_TIMEOUT = "script_timeout", "The start-up script ran too long"
    PROVISIONER_LOST = "provisioner_lost", "The provisioner went silent"
    DRIVER_ERROR = "driver_error", "The provisioner met an error"


class DaemonStatus(models.TextChoices):
    """How a daemon is, as a list says it; never stored."""

    IDLE = "idle", "Online"
    BUSY = "busy", "Busy"
    OFFLINE = "offline", "Offline"


class WorkspaceStatus(models.TextChoices):
    """How a workspace is, in one word; never stored (see `workspaces.status`)."""

    PENDING = "pending", "Pending"
    STARTING = "starting", "Starting"
    RUNNING = "running", "Running"
    STOPPING = "stopping", "Stopping"
    STOPPED = "stopped", "Stopped"
    FAILED = "failed", "Failed"
    CANCELING = "canceling", "Canceling"
    CANCELED = "canceled", "Canceled"
    DELETING = "deleting", "Deleting"
    DELETED = "deleted", "Deleted"


class AgentStatus(models.TextChoices):
    """Whether an agent is there; never stored."""

    CONNECTING = "connecting", "Connecting"
    CONNECTED = "connected", "Connected"
    DISCONNECTED = "disconnected", "Disconnected"


class LifecycleState(models.TextChoices):
    """Where an agent is between its first start and its end."""

    CREATED = "created", "Created"
    STARTING = "starting", "Starting"
    START_TIMEOUT = "start_timeout", "Start timed out"
    START_ERROR = "start_error", "Start failed"
    READY = "ready", "Ready"
    SHUTTING_DOWN = "shutting_down", "Shutting down"
    SHUTDOWN_TIMEOUT = "shutdown_timeout", "Shutdown timed out"
    SHUTDOWN_ERROR = "shutdown_error", "Shutdown failed"
    OFF = "off", "Off"
