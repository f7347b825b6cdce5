// Says how easily a new password would be guessed, while it is typed. The page works without it, and the rules are judged
// by the server. Nothing that is typed leaves the page; the dictionary is fetched with the first character.
;(() => {
  'use strict'
  const { engine, dictionary } = document.currentScript.dataset
  const meter = document.querySelector('[data-meter]')
  const field = meter && document.getElementById(meter.dataset.meter)
  if (!field || !engine || !dictionary) return

  const word = meter.querySelector('[role=status]')
  const rule = document.querySelector('[data-rule=length]')
  const least = Number(meter.dataset.least)
  const known = (meter.dataset.words || '').split('\n').filter(Boolean)
  // Room is made at once, so that nothing moves when there is something to say.
  meter.hidden = false

  let estimate
  let asked
  let waiting

  const load = (address) =>
    new Promise((resolve, reject) => {
      const script = document.createElement('script')
      script.src = address
      script.async = false
      script.onload = resolve
      script.onerror = () => reject(new Error(`${address} did not load`))
      document.head.append(script)
    })

  const prepare = () =>
    Promise.all([load(engine), load(dictionary)]).then(() => {
      const { core, 'language-common': common } = window.zxcvbnts
      // What follows 100 characters makes no difference to the answer, but much to the time it takes.
      const factory = new core.ZxcvbnFactory({
        dictionary: common.dictionary,
        graphs: common.adjacencyGraphs,
        maxLength: 100,
      })
      estimate = (password) => factory.check(password, known).score
    })

  const show = (score, text) => {
    if (score === undefined) delete meter.dataset.score
    else meter.dataset.score = String(score)
    // A live region speaks each time it is written to, the same words included.
    if (word.textContent !== text) word.textContent = text
  }

  const judge = () => {
    const password = field.value.normalize('NFC')
    if (password === '' || !estimate) return show(undefined, '')
    if ([...password].length < least) return show(0, meter.dataset.short)
    const score = estimate(password)
    show(score, meter.dataset[score])
  }

  const typed = () => {
    if (rule) rule.toggleAttribute('data-met', [...field.value.normalize('NFC')].length >= least)
    if (field.value !== '') {
      asked ??= prepare().then(judge, () => {
        // No meter is better than one that says nothing; its room stays, so that the page does not move.
        meter.style.visibility = 'hidden'
        field.removeEventListener('input', typed)
      })
    }
    clearTimeout(waiting)
    waiting = setTimeout(judge, 150)
  }

  field.addEventListener('input', typed)
  if (field.value !== '') typed()
})()
