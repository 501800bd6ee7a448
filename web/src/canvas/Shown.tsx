/** Pictures and texts below a node's widgets: results, what it loads, or what is being made. */
import { type ImageFile, viewUrl } from "../api/client";
import type { NodeSchema } from "../api/types";
import type { GraphNode } from "../document/graph";
import type { Shown as ShownValue } from "../state/runs";
import { useView } from "../state/view";

interface Props {
  node: GraphNode;
  schema: NodeSchema | undefined;
  shown: ShownValue | undefined;
  preview: string | undefined;
  y: number;
  height: number;
}

export function Shown({ node, schema, shown, preview, y, height }: Props) {
  const files = shown?.images ?? loaded(node, schema);
  const urls = preview !== undefined ? [preview] : files.map((each) => viewUrl(each));
  return (
    <div className="shown" style={{ top: y, height }}>
      {urls.length > 0 && (
        <div className={`pictures of-${Math.min(urls.length, 4)}`}>
          {urls.slice(0, 4).map((url) => (
            <button
              key={url}
              type="button"
              className="picture nodrag"
              aria-label="Look at it in full size"
              onClick={() => useView.setState({ lightbox: url })}
            >
              <img src={url} alt="" draggable={false} loading="lazy" />
            </button>
          ))}
          {urls.length > 4 && <span className="more">{urls.length - 4} more</span>}
        </div>
      )}
      {shown?.text.map((text) => (
        <pre key={text} className="shown-text nodrag nowheel">
          {text}
        </pre>
      ))}
    </div>
  );
}

/** The picture that a loading node was given: `folder/name.png [output]`. */
function loaded(node: GraphNode, schema: NodeSchema | undefined): ImageFile[] {
  const input = schema?.inputs.find((each) => each.options.image_upload === true);
  const value = input === undefined ? undefined : node.values[input.name];
  if (typeof value !== "string" || value === "") return [];
  const [, path = value, type = "input"] = /^(.*?)(?: \[(input|output|temp)\])?$/.exec(value) ?? [];
  const slash = path.lastIndexOf("/");
  const [subfolder, filename] = [path.slice(0, Math.max(slash, 0)), path.slice(slash + 1)];
  return [{ filename, subfolder, type }];
}
