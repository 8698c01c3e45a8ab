import { render } from 'preact';
import { App } from './app.tsx';
import { liveData } from './live-data.ts';
import { packedData } from './packed-data.ts';

const root = document.querySelector('#page');
if (root !== null) {
  const data = (await packedData()) ?? liveData();
  render(<App data={data} />, root);
}
