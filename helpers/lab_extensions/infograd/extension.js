// What the course adds to JupyterLab in the browser. It is written in the form in which JupyterLab loads extensions
// (module federation), so that nothing has to be built.
const START = "start.md";
const NAMELESS = ".widget-slider .noUi-handle:not([aria-labelledby])";
let named = 0;

/** Read the start page again if its file has changed since. What cannot be read leaves the page as it is. */
async function bringUpToDate(app, { context }) {
  try {
    await context.ready;
    const now = await app.serviceManager.contents.get(START, { content: false });
    if (now.last_modified !== context.contentsModel.last_modified && !context.model.dirty) {
      await context.revert();
    }
  } catch (problem) {
    console.warn(`infograd: the start page stays as it is: ${problem}`);
  }
}

// Every check writes the start page, in a kernel, which JupyterLab does not see: look when somebody comes back to it.
const startPage = {
  id: "infograd:start-page",
  autoStart: true,
  activate: (app) => {
    const look = () => {
      const seen = [...app.shell.widgets("main")].filter((one) => one.isVisible && one.context?.path === START);
      seen.forEach((page) => bringUpToDate(app, page));
    };
    app.shell.currentChanged?.connect(look);
    window.addEventListener("focus", look);
  },
};

// ipywidgets writes the name of a slider beside it and does not tie the two, which a screen reader needs.
const sliderNames = {
  id: "infograd:slider-names",
  autoStart: true,
  activate: () => {
    const tie = () => {
      for (const handle of document.querySelectorAll(NAMELESS)) {
        const label = handle.closest(".widget-slider").querySelector(".widget-label");
        if (label) {
          label.id = label.id || `infograd-slider-${(named += 1)}`;
          handle.setAttribute("aria-labelledby", label.id);
        }
      }
    };
    new MutationObserver(tie).observe(document.body, { childList: true, subtree: true });
  },
};

window._JUPYTERLAB = window._JUPYTERLAB || {};
window._JUPYTERLAB.infograd = {
  init: () => {},
  get: async () => () => ({ __esModule: true, default: [startPage, sliderNames] }),
};
