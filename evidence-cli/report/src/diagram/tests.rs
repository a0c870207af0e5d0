//! Properties of the diagram: boxes apart, text inside, well-formed, the same every time.
