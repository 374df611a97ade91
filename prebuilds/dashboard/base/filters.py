"""Template filters of every page; the words themselves are made beside it."""

from datetime import timedelta

from django import template

from prebuilds.dashboard.base.triggers import TriggerWords, words_of
from prebuilds.dashboard.base.wording import say_duration

register = template.Library()


@register.filter
def duration(span: timedelta | None) -> str:
    """Return a span as people say it; an empty text for none."""
    return say_duration(span) if span is not None else ""


@register.filter
def trigger_words(trigger: str) -> TriggerWords:
    """Return how what started a cycle is said."""
    return words_of(trigger)
