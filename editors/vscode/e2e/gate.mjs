/** With a probe in the extension's place: that the editor judges extensions as stock VS Code does. */

export const files = { 'a.py': '\n' };

export const checks = {
  async 'a provider with proposed methods is refused'(bench) {
    await bench.waitForStatus('refused');
  },
};
