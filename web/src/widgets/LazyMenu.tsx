/** The menu, loaded when it is first opened: the first screen has none. */
import { type ComponentProps, Suspense } from "react";
import type { Menu } from "./Menu";
import { part } from "./part";

const Part = part(() => import("./Menu").then((module) => module.Menu));

export function LazyMenu(props: ComponentProps<typeof Menu>) {
  return (
    <Suspense>
      <Part {...props} />
    </Suspense>
  );
}
