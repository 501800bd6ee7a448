/** Pictures of the camera before a run, for nodes that want a new one at each. */
import { uploadFile } from "../../api/upload";
import { setValue } from "../../document/edit";
import { graphsOf } from "../../document/levels";
import { namedValue } from "../nodes/fileValue";
import { inputsOf } from "../nodes/inputs";
import { currentValue } from "../nodes/shape";
import { edit, schemaOf, type Tab } from "../session/studio";
import { closeCamera, openCamera, pictureOf } from "./cameraPictures";

/** In milliseconds: the first pictures of many cameras are dark. */
const WARM_UP = 400;

/** Takes a picture for each node of a document that wants a new one at each run. */
export async function capturePictures(tab: Tab): Promise<void> {
  const wanted = graphsOf(tab.workflow).flatMap(({ nodes }, graph) =>
    Object.values(nodes).flatMap((node) => {
      const schema = schemaOf(node.type);
      const inputs = schema === undefined ? [] : inputsOf(schema, node);
      const input = inputs.find(({ type }) => type === "WEBCAM");
      const always = inputs.find(({ name }) => name === "capture_on_queue");
      const isWanted = always !== undefined && currentValue(node, always) === true;
      return input !== undefined && isWanted ? [{ graph, key: node.key, name: input.name }] : [];
    }),
  );
  if (wanted.length === 0) return;
  const stream = await openCamera();
  try {
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = stream;
    await video.play();
    await new Promise((done) => setTimeout(done, WARM_UP));
    const signal = new AbortController().signal;
    const file = await uploadFile(await pictureOf(video), { onProgress: () => undefined, signal });
    const label = "Take a picture with the camera";
    edit(
      tab,
      label,
      (_, workflow) => {
        for (const { graph, key, name } of wanted) {
          const found = graphsOf(workflow)[graph];
          if (found !== undefined) setValue(found, key, name, namedValue(file));
        }
      },
      label,
      true,
    );
  } finally {
    closeCamera(stream);
  }
}
