"""Writing HTML in which every text is escaped unless it was made here."""

from html import escape


class Html(str):
    """Markup that is safe as it stands; any other string is text and will be escaped."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str | bool | None) -> Html:
    """An element. An attribute that is None or False is left out; a trailing underscore in its name is dropped."""
    given = []
    for key, value in attributes.items():
        if value is not None and value is not False:
            label = key.rstrip("_").replace("_", "-")
            given.append(f" {label}" if value is True else f' {label}="{escape(value)}"')
    return Html(f"<{name}{''.join(given)}>{join(*children)}</{name}>")


def join(*children: str) -> Html:
    """Children one after another, text among them escaped."""
    return Html("".join(child if isinstance(child, Html) else escape(child, quote=False) for child in children))
