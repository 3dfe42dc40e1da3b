import { expect, test } from 'vitest';
import { pipFailure, pipStep } from '../../src/server/pip.js';

test.each([
  ['Collecting numpy<3,>=1.26 (from fimble==0.1.0)', 'Fetching numpy'],
  ['  Building wheel for llama-cpp-python (pyproject.toml): started', 'Compiling llama-cpp-python; this can take ten minutes'],
  ['Installing collected packages: numpy, fimble', 'Installing'],
  ['  Downloading numpy-2.0.0.whl (16 MB)', undefined],
])('%s', (line, step) => {
  expect(pipStep(line)).toBe(step);
});

test.each([
  ['OSError: [Errno 28] No space left on device', /disk is full/],
  ['CMake Error: CMAKE_CXX_COMPILER not set, after EnableLanguage', /could not be compiled/],
  ['ERROR: Failed building wheel for llama-cpp-python', /could not be compiled/],
  [
    'WARNING: Retrying ... NewConnectionError: Failed to establish a new connection\nERROR: Could not find a version that satisfies the requirement fimble',
    /could not be reached/,
  ],
  ['SSLError(SSLCertVerificationError(1, CERTIFICATE_VERIFY_FAILED))', /certificate/],
  ['ERROR: No matching distribution found for fimble==9.9', /no fimble that fits/],
  ['The virtual environment was not created because ensurepip is not\navailable.', /cannot make virtual environments/],
  ["PermissionError: [Errno 13] Permission denied: '/x'", /permission denied/],
])('%s', (output, message) => {
  const failure = pipFailure(output);
  expect(failure.message).toMatch(message);
  expect(failure.mend).not.toBe('');
});

test('an unknown failure shows the last error of pip', () => {
  expect(pipFailure('all well\nERROR: the moon is full\nbye').message).toMatch(/the moon is full/);
  expect(pipFailure('').message).toMatch(/no reason/);
});
