(() => {
  'use strict';
  const body = document.body, main = document.querySelector('main');
  const pages = [...main.querySelectorAll('img')];
  const rtl = body.dataset.direction === 'rtl';
  const button = (id) => document.getElementById(id);
  let at = 0;          // the first page that is shown, from 0
  let double = null;   // two pages side by side: yes, no, or null for what suits the window
  let zoom = 1;
  let touch = null;    // where one finger went down
  let swiped = false;  // a swipe ends in a click, which must not turn the page again

  const isDouble = () => double ?? (window.innerWidth > 1.25 * window.innerHeight && pages.length > 1);
  // The first page stands alone, as on the right-hand page where a printed book begins.
  const first = (index) => isDouble() && index > 0 ? index - (index - 1) % 2 : index;
  const shown = () => isDouble() && at > 0 ? pages.slice(at, at + 2) : [pages[at]];
  const asked = () => (parseInt(location.hash.slice(1), 10) || 1) - 1;

  function show(index, keepHash) {
    at = first(Math.max(0, Math.min(pages.length - 1, index)));
    const now = shown();
    pages.forEach((page, i) => {
      page.classList.toggle('shown', now.includes(page));
      page.classList.toggle('first', page === now[0]);
      page.classList.toggle('last', page === now[now.length - 1]);
      if (Math.abs(i - at) < 4) page.loading = 'eager';
    });
    const numbers = now.length > 1 ? `${at + 1}–${at + 2}` : `${at + 1}`;
    button('count').textContent = `${numbers} / ${pages.length}`;
    const atEnd = at + now.length >= pages.length;
    button('left').disabled = rtl ? atEnd : at === 0;
    button('right').disabled = rtl ? at === 0 : atEnd;
    button('double').setAttribute('aria-pressed', isDouble());
    main.style.setProperty('--side', isDouble() ? 2 : 1);
    main.scrollTo(0, 0);
    if (!keepHash) history.replaceState(null, '', '#' + (at + 1));
  }
  const ahead = (step) => show(step > 0 ? at + shown().length : at - 1);
  // Ahead is what the reading direction calls the next page: the right in ltr, the left in rtl.
  const turn = (side) => ahead(rtl ? -side : side);

  function setZoom(value, x = main.clientWidth / 2, y = main.clientHeight / 2) {
    const before = zoom;
    zoom = Math.max(1, Math.min(4, value));
    const left = main.scrollLeft + x, top = main.scrollTop + y;
    main.style.setProperty('--zoom', zoom);
    body.classList.toggle('zoomed', zoom > 1);
    button('zoom').setAttribute('aria-pressed', zoom > 1);
    // What was under the pointer stays there.
    main.scrollTo(left * zoom / before - x, top * zoom / before - y);
  }
  const toggleZoom = (x, y) => setZoom(zoom > 1 ? 1 : 2, x, y);
  function toggleDouble() {
    double = !isDouble();
    show(at);
  }
  function toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (document.documentElement.requestFullscreen) document.documentElement.requestFullscreen();
  }

  button('left').onclick = () => turn(-1);
  button('right').onclick = () => turn(1);
  button('zoom').onclick = () => toggleZoom();
  button('double').onclick = toggleDouble;
  main.addEventListener('click', (event) => {
    if (swiped) { swiped = false; return; }
    const place = event.clientX / window.innerWidth;
    // The sides turn the page, the middle zooms; when zoomed in, anywhere zooms out again.
    if (zoom > 1 || (place > 1 / 3 && place < 2 / 3)) {
      toggleZoom(event.clientX, event.clientY - main.offsetTop);
    } else turn(place < 0.5 ? -1 : 1);
  });
  const pinched = () => window.visualViewport && window.visualViewport.scale > 1.05;
  main.addEventListener('touchstart', (event) => {
    swiped = false;
    touch = event.touches.length === 1 && !pinched() ? event.touches[0] : null;
  }, { passive: true });
  main.addEventListener('touchend', (event) => {
    if (!touch) return;
    const end = event.changedTouches[0], x = end.clientX - touch.clientX, y = end.clientY - touch.clientY;
    touch = null;
    if (zoom === 1 && Math.abs(x) > 40 && Math.abs(x) > 1.5 * Math.abs(y)) {
      swiped = true;
      turn(x > 0 ? -1 : 1);  // the page follows the finger
    }
  });

  const keys = {
    ArrowLeft: () => turn(-1), ArrowRight: () => turn(1), PageDown: () => ahead(1), PageUp: () => ahead(-1),
    ArrowDown: () => zoom > 1 ? main.scrollBy(0, 80) : ahead(1),
    ArrowUp: () => zoom > 1 ? main.scrollBy(0, -80) : ahead(-1),
    Home: () => show(0), End: () => show(pages.length - 1),
    '+': () => setZoom(zoom * 1.25), '=': () => setZoom(zoom * 1.25), '-': () => setZoom(zoom / 1.25),
    '0': () => setZoom(1), Escape: () => setZoom(1),
    z: () => toggleZoom(), d: toggleDouble, f: toggleFull,
  };
  document.addEventListener('keydown', (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === ' ' && event.target.tagName !== 'BUTTON') ahead(event.shiftKey ? -1 : 1);
    else if (Object.hasOwn(keys, event.key)) keys[event.key]();
    else return;
    event.preventDefault();
  });
  window.addEventListener('hashchange', () => show(asked(), true));
  window.addEventListener('resize', () => show(at, true));
  body.classList.add('paged');
  show(asked(), true);
})();
