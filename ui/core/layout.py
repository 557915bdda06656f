"""Where the parts of a tab's page stand. Element ids are ``<slug>-<part>``."""

from typing import Any

import gradio as gr

from ui.core.prose import prose
from ui.core.tab import Source, Tab, pairs
from ui.parts import hiding, markup, pictures
from ui.parts.canvas import BASE, Stage, piece
from ui.parts.widgets import widget

FOLDS = f"import(new URL('js/frame.js', {BASE})).then((m) => m.folds(element));"


def chooser(tab: Tab) -> gr.Radio:
    """The row of views on top."""
    options = [(view.title, name) for name, view in tab.views.items()]
    common = {"label": "View", "elem_id": f"{tab.slug}-{tab.chooser}", "elem_classes": "gb-lessons"}
    return gr.Radio(options, value=getattr(tab.opening, tab.chooser), **common)


def settings(tab: Tab, widgets: dict[str, Any]) -> None:
    """What decides about a source, the sources, then the settings in their order; the folded ones last, the seed at the
    end."""
    deciding = {name for source in tab.sources for name, _ in pairs(tab.needs.get(source.id, ()))} - {tab.chooser}
    widgets |= {name: widget(tab, param) for name, param in tab.declared.items() if name in deciding}
    for source in tab.sources:
        _source(tab, source, widgets)
    for name, param in tab.declared.items():
        if name not in widgets and name not in tab.folded:
            widgets[name] = widget(tab, param)
    if tab.folded:
        with gr.Accordion("More settings", open=False, elem_id=f"{tab.slug}-folded"):
            widgets |= {name: widget(tab, tab.declared[name]) for name in tab.folded}


def _source(tab: Tab, source: Source, widgets: dict[str, Any]) -> None:
    if source.kind == "picture":
        widgets[source.field] = widget(tab, tab.declared[source.field])
        return
    with gr.Column(elem_id=f"{tab.slug}-{source.id}", elem_classes="gb-typed" if source.kind == "text" else None):
        if source.kind in ("text", "shelf"):
            widgets[source.field] = widget(tab, tab.declared[source.field])
        piece(markup.upload(tab.slug, source, tab.sources.index(source)))


def shown(tab: Tab, room: str = "") -> dict[str, Any]:
    """What a result fills, with the downloads and the table twin; in another tab's ``room`` without pictures to
    choose."""
    slug, made = tab.slug, {}
    picture = tab.source("picture")
    if picture and not room:
        samples = markup.pictures(slug, picture, tab.sources.index(picture), pictures.thumbnails())
        piece(samples, elem_id=f"{slug}-pictures")
    if any(view.streamed for view in tab.views.values()) or any(s.fetch for s in tab.sources):
        piece(markup.running(slug))
    made["notice"] = piece(elem_id=f"{slug}-notice")
    made["stage"] = Stage(slug, room)
    made["plot"] = gr.Plot(show_label=False, elem_id=f"{slug}-plot", elem_classes="gb-figure", container=False)
    made["below"] = gr.HTML(elem_id=f"{slug}-below", js_on_load=FOLDS)
    made["checks"] = piece(elem_id=f"{slug}-checks")
    piece(markup.downloads(slug))
    with gr.Accordion("Table", open=False, elem_classes="gb-twin", elem_id=f"{slug}-twin"):
        made["table"] = piece(elem_id=f"{slug}-table")
    return made


def explanation(slug: str) -> None:
    """The places of the text of the view on screen and of the tab's text; the browser fetches both
    (``ui.core.prose.html``)."""
    for kind, file in (("gb-lesson-text", f"{slug}.views"), ("gb-explain", slug)):
        script = f"import(new URL('js/frame.js', {BASE})).then((m) => m.fetched(element, 'prose/{file}.html'));"
        gr.HTML(html_template=f'<div class="{kind}"></div>', js_on_load=script, apply_default_css=False,
                elem_id=f"{slug}-{kind[3:]}")


def style(tab: Tab) -> str:
    """Style rules that hide what does not belong to the view."""
    ids = {source.field: source.id for source in tab.sources}
    uses = {ids.get(name, name): views for name, views in tab.uses.items() if name in ids or name not in tab.held}
    if tab.folded and all(name in uses for name in tab.folded):
        uses["folded"] = tuple({view for name in tab.folded for view in uses[name]})
    by_view = {"plot": [n for n, v in tab.views.items() if v.figure],
               "stage": [n for n, v in tab.views.items() if v.stage],
               "below": [n for n, v in tab.views.items() if v.below],
               "going": [n for n, v in tab.views.items() if v.streamed]}
    owners = {name: [(tab.chooser, view) for view in views] or [(tab.chooser, "none")]
              for name, views in (uses | by_view).items()}
    lessons = {f".{tab.slug}-prose-{view}": [(tab.chooser, view)] for view in prose(tab.slug, "en").views}
    return (hiding.style(tab, owners if len(tab.views) > 1 else {}) + "\n" + hiding.style(tab, tab.needs) + "\n"
            + hiding.style(tab, lessons))
