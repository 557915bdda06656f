// A channel from Python to a canvas: the value is dispatched as a DOM event on the canvas root. Keeps replies apart from the scene,
// so that two answers in one flush cannot replace each other. Large payloads travel as one JSON string: Svelte would wrap arrays.
function deliver() {
  const value = typeof props.value === 'string' ? props.value && JSON.parse(props.value) : props.value && JSON.parse(JSON.stringify(props.value));
  const target = value && document.querySelector('#' + props.target + ' .gx');
  if (target) target.dispatchEvent(new CustomEvent('gx-' + value.kind, { detail: value }));
}
watch('value', deliver);
