/** More views of a result, by plugins that render its media type; each loads when it is opened. */
import { useState } from "react";
import { type PluginRenderer, renderersFor, useExtensions } from "../state/catalog/extensions";
import { mediaTypeOf } from "../state/nodes/mediaTypes";

interface Props {
  url: string;
  name: string;
}

export function PluginViews({ url, name }: Props) {
  const declared = useExtensions((state) => state.declared);
  return renderersFor(mediaTypeOf(name), declared).map((each) => (
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
        <Renderer renderer={renderer} url={url} type={mediaTypeOf(name)} name={name} />
      )}
    </details>
  );
}
