"""Results to plotly figures and canvas scenes: pure functions without gradio."""
