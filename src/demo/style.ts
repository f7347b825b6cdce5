// The shop's one stylesheet: both themes, no picture, no font from elsewhere.
export const stylesheet = `:root { color-scheme: light dark; --ink: light-dark(#1b2430, #e7ecf3); --soft: light-dark(#5a6675, #a3afbf);
  --paper: light-dark(#f4f6f9, #11161d); --card: light-dark(#ffffff, #1a212b); --line: light-dark(#d9dfe7, #303a48);
  --mark: light-dark(#0b5cad, #7db8ff); --on-mark: light-dark(#ffffff, #0c1a2a); --wash: light-dark(#e9f2fc, #16283d) }
* { box-sizing: border-box }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
main { max-width: 46rem; margin: 6vh auto; padding: 2rem clamp(1rem, 5vw, 2.5rem); background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem }
@media (max-width: 48rem) { main { margin: 0; min-height: 100vh; border: 0; border-radius: 0 } }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem } h2 { font-size: 1.1rem; line-height: 1.3; margin: 0 0 .35rem }
p { margin: 0 0 1rem } .soft { color: var(--soft) } a { color: var(--mark); text-underline-offset: .2em }
section { margin: 1.75rem 0 0; padding: 1.5rem 0 0; border-top: 1px solid var(--line) }
.notice { margin: 1rem 0 0; padding: .8rem 1rem; background: var(--wash); border-left: 4px solid var(--mark); border-radius: .25rem }
.notice > :last-child { margin-bottom: 0 }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0 0 } form { margin: 0 }
button, .button { display: inline-block; font: inherit; font-weight: 600; padding: .6rem 1.4rem; border-radius: .5rem; cursor: pointer;
  border: 1px solid var(--mark); background: var(--mark); color: var(--on-mark); text-decoration: none }
.quiet { background: transparent; color: var(--mark) }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 3px }
table { width: 100%; border-collapse: collapse; margin: 1rem 0 0 } caption { text-align: left; color: var(--soft); padding-bottom: .35rem }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem .5rem .5rem; border-top: 1px solid var(--line); overflow-wrap: anywhere }
th { width: 11rem; font-weight: 600 } tr.main { background: var(--wash) } .notice tr.main { background: transparent }
td small { display: block; color: var(--soft) }
@media (max-width: 30rem) { th, td { display: block; width: auto; padding: .4rem .5rem } td { border-top: 0; padding-top: 0 } }
code { font: .92em ui-monospace, monospace }
`
