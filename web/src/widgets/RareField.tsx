/** Fields that few nodes have, by the type of their values. */
import type { InputSchema } from "../api/types";
import { JsonField } from "./JsonField";
import type { MediaAct } from "./MediaField";
import { PaintingField } from "./PaintingField";
import { WebcamField } from "./WebcamField";

interface Props {
  label: string;
  input: InputSchema;
  value: unknown;
  picture?: string | null | undefined;
  values?: Readonly<Record<string, unknown>> | undefined;
  media?: MediaAct | undefined;
  onChange: (value: unknown) => void;
  onDone: () => void;
}

export function RareField({ input, picture = null, values = {}, media, ...own }: Props) {
  const { label, value, onChange, onDone } = own;
  const said = { label, value, onChange, onDone };
  const drawn = { ...said, input, picture, values, media };
  const { widgetType } = input.options;
  const type = typeof widgetType === "string" ? widgetType : input.type;
  if (type === "PAINTER") return <PaintingField {...drawn} />;
  if (type === "WEBCAM") return <WebcamField {...drawn} />;
  return <JsonField {...said} type={input.type} />;
}
