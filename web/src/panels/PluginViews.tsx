/** Other views of a result, by plugins that render its media type; each opens when asked for. */
import { useState } from "react";
import { type PluginRenderer, renderersFor, useExtensions } from "../state/extensions";

interface Props {
  url: string;
  name: string;
}

const TYPES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  webp: "image/webp",
  gif: "image/gif",
  avif: "image/avif",
  mp4: "video/mp4",
  webm: "video/webm",
  mp3: "audio/mpeg",
  wav: "audio/wav",
  flac: "audio/flac",
  ogg: "audio/ogg",
  glb: "model/gltf-binary",
  json: "application/json",
  txt: "text/plain",
};

/** The media type of a file, by its ending. */
function typeOf(name: string): string {
  return TYPES[name.split(".").at(-1)?.toLowerCase() ?? ""] ?? "application/octet-stream";
}

export function PluginViews({ url, name }: Props) {
  const declared = useExtensions((state) => state.declared);
  return renderersFor(typeOf(name), declared).map((each) => (
    <View key={`${each.pack}/${each.id}`} renderer={each} url={url} name={name} />
  ));
}

function View({ renderer, url, name }: Props & { renderer: PluginRenderer }) {
  const Renderer = useExtensions((state) => state.Renderer);
  const [open, setOpen] = useState(false);
  return (
    <details className="plugin-view" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{renderer.title}</summary>
      {open && Renderer !== null && (
        <Renderer renderer={renderer} url={url} type={typeOf(name)} name={name} />
      )}
    </details>
  );
}
