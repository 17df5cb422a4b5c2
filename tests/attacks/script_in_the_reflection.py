"""A script in the hand-graded answer, which runs as the teacher who looks at it."""

CELLS = {
    "reflection": """<script>fetch('/api/contents/x.txt', {method: 'PUT', body: '{}'})</script>
<img src="x" onerror="fetch('/api/contents/x.txt')">
<scr<script>ipt>fetch('/api/terminals')</scr</script>ipt>

```html
</code></pre><script>fetch('/api/kernels')</script>
```
""",
}
NEVER_SHOWN = ("<script>fetch", '<img src="x" onerror')
